// What Go's archive/zip takes, told line by line to the program that compares it with others.
//
// A line of the standard input is a command and its arguments, separated by tabs; the answer is one
// line: "ok" or "error", and then
//
//	version                    the version of Go
//	open    PATH NAME TIMES    nanoseconds, nanoseconds of CPU, SHA-256 of the content
//	extract PATH NAME TIMES    the same, of an archive that is open before the time begins
//	walk    PATH TIMES         nanoseconds, nanoseconds of CPU, the sum over all entries
//	heap    PATH               bytes of heap that an open archive takes
package main

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		answer, err := carryOut(strings.Split(commands.Text(), "\t"))
		if err != nil {
			fmt.Printf("error\t%q\n", err)
		} else {
			fmt.Printf("ok\t%s\n", answer)
		}
	}
}

func carryOut(words []string) (string, error) {
	times := 0
	if last := words[len(words)-1]; len(words) > 2 {
		n, err := strconv.Atoi(last)
		if err != nil {
			return "", err
		}
		times = n
	}
	switch {
	case words[0] == "version" && len(words) == 1:
		return runtime.Version(), nil
	case words[0] == "open" && len(words) == 4:
		return open(words[1], words[2], times)
	case words[0] == "extract" && len(words) == 4:
		return extract(words[1], words[2], times)
	case words[0] == "walk" && len(words) == 3:
		return walk(words[1], times)
	case words[0] == "heap" && len(words) == 2:
		return heap(words[1])
	}
	return "", errors.New("no such command")
}

func open(path, name string, times int) (string, error) {
	var content []byte
	return timed(times, func() error {
		archive, err := zip.OpenReader(path)
		if err != nil {
			return err
		}
		defer archive.Close()
		file, err := find(&archive.Reader, name)
		if err != nil {
			return err
		}
		content, err = read(file, content)
		return err
	}, func() string { return digest(content) })
}

func extract(path, name string, times int) (string, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return "", err
	}
	defer archive.Close()
	file, err := find(&archive.Reader, name)
	if err != nil {
		return "", err
	}
	var content []byte
	return timed(times, func() error {
		content, err = read(file, content)
		return err
	}, func() string { return digest(content) })
}

func walk(path string, times int) (string, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return "", err
	}
	defer archive.Close()
	var sum uint64
	return timed(times, func() error {
		sum = 0
		for _, file := range archive.File {
			sum += file.UncompressedSize64 + uint64(len(file.Name)) + uint64(file.CRC32)
		}
		return nil
	}, func() string { return strconv.FormatUint(sum, 10) })
}

func heap(path string) (string, error) {
	before := live()
	archive, err := zip.OpenReader(path)
	if err != nil {
		return "", err
	}
	held := live() - before
	runtime.KeepAlive(archive)
	archive.Close()
	return strconv.FormatUint(held, 10), nil
}

// find looks at every entry, as the package's own Open would have to sort them all first.
func find(archive *zip.Reader, name string) (*zip.File, error) {
	for _, file := range archive.File {
		if file.Name == name {
			return file, nil
		}
	}
	return nil, errors.New("no such entry")
}

// read takes the content into the room of the last one, up to the check of its CRC-32.
func read(file *zip.File, room []byte) ([]byte, error) {
	content := room[:0]
	if size := int(file.UncompressedSize64); cap(content) < size {
		content = make([]byte, 0, size)
	}
	content = content[:file.UncompressedSize64]
	reader, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	if _, err := io.ReadFull(reader, content); err != nil {
		return nil, err
	}
	if n, err := reader.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return nil, fmt.Errorf("no end: %v", err)
	}
	return content, nil
}

func timed(times int, once func() error, answer func() string) (string, error) {
	cpu := cpuTime()
	started := time.Now()
	for i := 0; i < times; i++ {
		if err := once(); err != nil {
			return "", err
		}
	}
	wall := time.Since(started)
	return fmt.Sprintf("%d\t%d\t%s", wall.Nanoseconds(), cpuTime()-cpu, answer()), nil
}

// cpuTime is the user and system time of the process, the collector's threads included.
func cpuTime() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func live() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func digest(content []byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(content))
}
