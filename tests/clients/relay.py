"""A relay in front of the server that takes down what a client sends and changes nothing.

It reads a request's frame (RFC 9112 section 6) only to know where the next one begins. Where
`local` knows a request, it is answered here and goes no further (see runner_endpoints.py and
list_endpoints.py).
"""

import socket
import threading


class Request:
    """One request as it was sent: its head as text, and its body with the framing taken off."""

    def __init__(self, head):
        self.head = head.decode("latin-1")
        self.line, _, self.fields = self.head.partition("\r\n")
        self.method, self.target, _ = (self.line + "  ").split(" ", 2)
        self.body = b""

    def field(self, name):
        for line in self.fields.split("\r\n"):
            key, _, value = line.partition(":")
            if key.strip().lower() == name.lower():
                return value.strip()
        return ""


class Relay:
    """Listens on a free loopback port for as long as it is open."""

    def __init__(self, upstream, local=None):
        self.upstream = upstream
        self.local = local
        self.requests = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # A thread in accept() is woken by shutdown, not by close.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def _connection(self, client):
        client.settimeout(120)
        incoming = client.makefile("rb")
        server = None
        try:
            while True:
                head = _head(incoming)
                if head is None:
                    return
                request = Request(head)
                with self.lock:
                    self.requests.append(request)
                if self.local is not None and self.local.knows(request):
                    _body(incoming, request, lambda _: None)
                    client.sendall(self.local.reply(request))
                    return
                if server is None:
                    server = socket.create_connection(self.upstream, timeout=120)
                    threading.Thread(target=_pump, args=(server, client), daemon=True).start()
                server.sendall(head)
                _body(incoming, request, server.sendall)
        except OSError:
            return
        finally:
            # The server's half is pumped to its end before the client's is closed.
            if server is None:
                client.close()
            else:
                try:
                    server.shutdown(socket.SHUT_WR)
                except OSError:
                    client.close()


def answer(status, body=None):
    """The bytes of an answer in JSON, after which the connection ends: what `local` replies."""
    length = "" if body is None else f"Content-Length: {len(body)}\r\n"
    head = (f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{length}"
            "Connection: close\r\n\r\n")
    return head.encode() + (body or b"")


def _pump(server, client):
    try:
        while True:
            data = server.recv(65536)
            if not data:
                break
            client.sendall(data)
    except OSError:
        pass
    for end in (client, server):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        end.close()


def _head(incoming):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = incoming.readline(65537)
        if not line:
            return None
        head += line
    return head


def _body(incoming, request, send):
    if "chunked" in request.field("transfer-encoding").lower():
        parts = []
        while True:
            size = incoming.readline(1024)
            if not size:
                raise OSError("the client went away inside a body")
            length = int(size.split(b";")[0], 16)
            if length == 0:
                trailer = size
                while True:
                    line = incoming.readline(65537)
                    trailer += line
                    if line in (b"\r\n", b""):
                        break
                send(trailer)
                break
            chunk = incoming.read(length + 2)
            parts.append(chunk[:-2])
            send(size + chunk)
        request.body = b"".join(parts)
    else:
        left = int(request.field("content-length") or 0)
        parts = []
        while left > 0:
            part = incoming.read1(min(left, 65536))
            if not part:
                raise OSError("the client went away inside a body")
            left -= len(part)
            parts.append(part)
            send(part)
        request.body = b"".join(parts)
