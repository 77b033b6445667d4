"""The archives of the tests: names that are awkward in a URL, zips as GitLab's runner writes them.

Everything is the same in every run, so that a failure can be looked at again.
"""

import hashlib
import io
import struct
import zipfile
import zlib

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000000020001e221bc330000000049454e44ae426082"
)

DOS_TIME, DOS_DATE = 0x6000, 0x5C21  # 2026-01-01 12:00:00
UNIX_TIME = 1767268800


def noise(length, seed=b"entryway"):
    """Bytes that do not compress."""
    out = bytearray()
    while len(out) < length:
        seed = hashlib.sha256(seed).digest()
        out += seed
    return bytes(out[:length])


# Three MiB: half noise, half text, so that DEFLATE does both.
BIG = noise(3 << 19) + (b"the quick brown fox jumps over the lazy dog. " * 40000)[: 3 << 19]

# Name -> content. `ref.txt`, which tells the archives apart, is added to each.
FILES = {
    "index.html": b"<!doctype html><title>report</title><p>hello\n",
    "logo.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="1" height="1"/></svg>\n',
    "notes.txt": b"plain text\nof two lines\n" * 20,
    "meta.json": b'{"name": "entryway", "files": [1, 2, 3]}\n',
    "report.xml": b"<?xml version=\"1.0\"?><testsuite tests=\"1\"/>\n",
    "pixel.png": PNG,
    "random.bin": noise(65536),
    "empty.txt": b"",
    "big.bin": BIG,
    "dist/out file.txt": b"a space\n",
    "dist/a+b.txt": b"a plus\n",
    "dist/c#1.txt": b"a number sign\n",
    "dist/100%.txt": b"a percent sign\n",
    "dist/%41.txt": b"three characters that look like an escape\n",
    "dist/q?.txt": b"a question mark\n",
    "dist/r&d=1.txt": b"an ampersand and an equals sign\n",
    "p\u00e4th/\u00f6\u4e16.txt": "letters beyond ASCII: \u00f6\u4e16\n".encode(),
    "a/b/c/d/deep.txt": b"deep\n",
}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def archive(marker):
    """A zip of FILES, folders too, in which `ref.txt` holds the marker; and what lies in it."""
    files = dict(FILES)
    files["ref.txt"] = marker.encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as written:
        folder = zipfile.ZipInfo("dist/", (2026, 1, 1, 12, 0, 0))
        folder.external_attr = 0o40755 << 16 | 0x10
        written.writestr(folder, b"")
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 12, 0, 0))
            info.external_attr = 0o100644 << 16
            stored = name in ("random.bin", "pixel.png")
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            written.writestr(info, content)
    return out.getvalue(), files


def small(marker):
    """A zip of two small files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in (("ref.txt", marker.encode()), ("notes.txt", FILES["notes.txt"])):
            written.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 12, 0, 0)), content)
    return out.getvalue()


def _extras():
    """The extra fields of the runner's old writer: UT (modification time) and ux (owner)."""
    timestamp = struct.pack("<HHBI", 0x5455, 5, 1, UNIX_TIME)
    owner = struct.pack("<HHBBIBI", 0x7875, 11, 1, 4, 0, 4, 0)
    return timestamp + owner


def runner_archive(files, writer):
    """A zip as the runner writes it to a stream: local CRC and sizes 0, a data descriptor behind.

    `legacy`: flags 0x0808, all deflated, extra fields UT and ux. `fastzip`: flags 0x0008, content
    that does not compress is stored, and has its data descriptor all the same.
    """
    out, directory = bytearray(), bytearray()
    for name, content in files.items():
        raw = name.encode()
        ascii_name = len(raw) == len(name)
        flags = 0x0808 if writer == "legacy" or not ascii_name else 0x0008
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        data, method = deflate.compress(content) + deflate.flush(), 8
        if writer == "fastzip" and len(data) >= len(content):
            data, method = content, 0
        extra = _extras() if writer == "legacy" else _extras()[:9]
        crc, offset = zlib.crc32(content), len(out)
        out += struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, flags, method, DOS_TIME, DOS_DATE,
                           0, 0, 0, len(raw), len(extra)) + raw + extra
        out += data
        out += struct.pack("<IIII", 0x08074B50, crc, len(data), len(content))
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0x0314, 20, flags, method,
                                 DOS_TIME, DOS_DATE, crc, len(data), len(content), len(raw),
                                 len(extra), 0, 0, 0, 0o100644 << 16, offset) + raw + extra
    start = len(out)
    out += directory
    out += struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(files), len(files), len(directory),
                       start, 0)
    return bytes(out)
