// Serve answers every request for an entry of a zip archive by a process of its own, as GitLab
// does: the child opens the archive, reads all of its directory, and writes the size of the entry
// in a line and then its content, which is copied to the client.
//
// Usage: serve [-listen ADDR] CHILD ARCHIVE
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"mime"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"strings"
)

// absent is the child's exit code for a name that the archive does not have.
const absent = 3

// children answers requests out of one archive.
type children struct{ program, archive string }

// A child whose client has gone runs to its end if its output was small enough to be taken from it:
// it is not bound to the request's context, so that what the processor did is some whole number of
// requests and can be counted.
func (c children) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	child := exec.Command(c.program, c.archive, name)
	child.Stderr = os.Stderr
	output, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	content := bufio.NewReader(output)
	size, err := content.ReadString('\n')
	if err != nil {
		var exit *exec.ExitError
		if errors.As(child.Wait(), &exit) && exit.ExitCode() == absent {
			http.NotFound(w, r)
			return
		}
		http.Error(w, "the child failed", http.StatusInternalServerError)
		return
	}
	mediaType := mime.TypeByExtension(path.Ext(name))
	if mediaType == "" {
		mediaType = "application/octet-stream"
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strings.TrimSuffix(size, "\n"))
	_, copied := io.Copy(w, content)
	if copied != nil {
		child.Process.Kill()
	}
	if ended := child.Wait(); copied != nil || ended != nil {
		// The head has been sent: what is left is to break the connection off.
		panic(http.ErrAbortHandler)
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	flag.Parse()
	if flag.NArg() != 2 {
		log.Fatal("usage: serve [-listen ADDR] CHILD ARCHIVE")
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, children{flag.Arg(0), flag.Arg(1)}))
}
