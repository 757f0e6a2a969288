// Command upload writes the zip that the Cloud Functions are built from: the
// files that terraform/sources.json allows, and nothing else. Terraform runs
// it, and so does who deploys with gcloud:
//
//	go run ./terraform/upload -o functions.zip
//	gcloud functions deploy ingest --source=functions.zip …
//
// The same files give the same bytes on every machine: names are sorted,
// times and rights are fixed, and nothing is compressed, because compressors
// differ.
package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "upload:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("upload", flag.ContinueOnError)
	output := flags.String("o", "functions.zip", "write the zip to this `file`")
	root := flags.String("root", ".", "the repository's `folder`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	files, err := allowed(*root)
	if err != nil {
		return err
	}
	content, err := archive(*root, files)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(*output), 0o755); err != nil {
		return fmt.Errorf("making the folder of %s: %w", *output, err)
	}
	if err := os.WriteFile(*output, content, 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", *output, err)
	}
	fmt.Fprintf(stdout, "%s: %d files, %d bytes, sha256 %x\n", *output, len(files), len(content), sha256.Sum256(content))
	return nil
}

// allowed lists the files below root that sources.json allows for the
// functions, sorted, without tests and what only they read. Terraform's
// fileset gives the same list.
func allowed(root string) ([]string, error) {
	const list = "terraform/sources.json"
	text, err := os.ReadFile(filepath.Join(root, list))
	if err != nil {
		return nil, fmt.Errorf("reading the allow-list (run this in the repository's root, or name it with -root): %w", err)
	}
	var sources struct{ Functions []string }
	if err := json.Unmarshal(text, &sources); err != nil {
		return nil, fmt.Errorf("reading %s: %w", list, err)
	}
	var files []string
	for _, pattern := range sources.Functions {
		matches, err := match(root, pattern)
		if err != nil {
			return nil, err
		}
		if len(matches) == 0 {
			return nil, fmt.Errorf("%s names %s, and there is no such file", list, pattern)
		}
		files = append(files, matches...)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// match lists the files that a pattern names: * stands for a part of a name,
// ** for any path.
func match(root, pattern string) (files []string, err error) {
	expression := regexp.QuoteMeta(pattern)
	expression = strings.ReplaceAll(expression, `\*\*`, `.+`)
	expression = strings.ReplaceAll(expression, `\*`, `[^/]*`)
	matches := regexp.MustCompile("^" + expression + "$").MatchString

	folder, _, _ := strings.Cut(pattern, "*")
	folder = folder[:strings.LastIndex(folder, "/")+1]
	err = filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(relative)
		switch {
		case entry.IsDir() && (folder == "" && name != "." || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.Type().IsRegular() && matches(name) && !strings.HasSuffix(name, "_test.go"):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for %s: %w", pattern, err)
	}
	return files, nil
}

// archive returns a zip of the files.
func archive(root string, files []string) ([]byte, error) {
	var content bytes.Buffer
	w := zip.NewWriter(&content)
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return nil, fmt.Errorf("reading a file of the upload: %w", err)
		}
		header := &zip.FileHeader{Name: name, Method: zip.Store, Modified: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
		header.SetMode(0o644)
		file, err := w.CreateHeader(header)
		if err == nil {
			_, err = file.Write(text)
		}
		if err != nil {
			return nil, fmt.Errorf("adding %s to the upload: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("finishing the upload: %w", err)
	}
	return content.Bytes(), nil
}
