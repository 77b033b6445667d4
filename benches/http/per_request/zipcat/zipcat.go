// Zipcat writes the size of one entry of a zip archive in a line, and then its content.
//
// Usage: zipcat ARCHIVE ENTRY. Exits with 3 where the archive has no such entry.
package main

import (
	"archive/zip"
	"fmt"
	"io"
	"log"
	"os"
)

const absent = 3

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: zipcat ARCHIVE ENTRY")
	}
	archive, err := zip.OpenReader(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for _, file := range archive.File {
		if file.Name != os.Args[2] {
			continue
		}
		content, err := file.Open()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(file.UncompressedSize64)
		if _, err := io.Copy(os.Stdout, content); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(absent)
}
