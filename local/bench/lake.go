package bench

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

const bucket = "lake"

// A lake speaks as much of Cloud Storage's JSON API as ingest uses: uploads in
// one request with the does-not-exist precondition, and reading an object's
// metadata. It keeps objects as files in a folder.
type lake struct {
	folder string
	server *http.Server
	url    string

	mu       sync.Mutex
	metadata map[string]map[string]string // of the objects that exist
}

// startLake serves an empty bucket that keeps its objects in folder.
func startLake(folder string) (*lake, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the lake: %w", err)
	}
	l := &lake{folder: folder, url: "http://" + listener.Addr().String(), metadata: map[string]map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /upload/storage/v1/b/"+bucket+"/o", l.upload)
	mux.HandleFunc("GET /storage/v1/b/"+bucket+"/o/{name...}", l.describe)
	l.server = &http.Server{Handler: mux}
	go func() { _ = l.server.Serve(listener) }() // ends with Close
	return l, nil
}

func (l *lake) Close() error { return l.server.Close() }

// An object is how the API describes one.
type object struct {
	Kind       string            `json:"kind"`
	Bucket     string            `json:"bucket"`
	Name       string            `json:"name"`
	Generation string            `json:"generation"`
	Size       string            `json:"size,omitempty"`
	CRC32C     string            `json:"crc32c,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

func (l *lake) upload(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("uploadType") != "multipart" || query.Get("ifGenerationMatch") != "0" {
		http.Error(w, "only uploads in one request that require a new object are known here", http.StatusNotImplemented)
		return
	}
	o, data, err := readUpload(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !l.claim(o) {
		http.Error(w, "the object exists", http.StatusPreconditionFailed)
		return
	}
	if err := writeFile(filepath.Join(l.folder, filepath.FromSlash(o.Name)), data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	o.Size = strconv.Itoa(len(data))
	answer(w, o)
}

// claim gives the name to the object, unless it is taken.
func (l *lake) claim(o object) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, taken := l.metadata[o.Name]; taken {
		return false
	}
	l.metadata[o.Name] = o.Metadata
	return true
}

func (l *lake) describe(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	l.mu.Lock()
	metadata, exists := l.metadata[name]
	l.mu.Unlock()
	if !exists {
		http.Error(w, "no such object", http.StatusNotFound)
		return
	}
	answer(w, object{Name: name, Metadata: metadata})
}

func answer(w http.ResponseWriter, o object) {
	o.Kind, o.Bucket, o.Generation = "storage#object", bucket, "1"
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o) // the client is gone
}

// readUpload reads the two parts of an upload: the object's description and
// its data, whose checksum must be right.
func readUpload(r *http.Request) (o object, data []byte, err error) {
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return o, nil, fmt.Errorf("reading the upload's content type: %w", err)
	}
	parts := multipart.NewReader(r.Body, parameters["boundary"])
	description, err := parts.NextPart()
	if err != nil {
		return o, nil, fmt.Errorf("reading the upload: %w", err)
	}
	if err := json.NewDecoder(description).Decode(&o); err != nil {
		return o, nil, fmt.Errorf("reading the upload's description: %w", err)
	}
	media, err := parts.NextPart()
	if err != nil {
		return o, nil, fmt.Errorf("reading the upload: %w", err)
	}
	if data, err = io.ReadAll(media); err != nil {
		return o, nil, fmt.Errorf("reading the upload: %w", err)
	}
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	if o.Name == "" || o.CRC32C != base64.StdEncoding.EncodeToString(sum) {
		return o, nil, errors.New("the object has no name, or another checksum than it says")
	}
	return o, data, nil
}

func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// objects calls do for every object under the prefix.
func (l *lake) objects(prefix string, do func(name, path string) error) error {
	root := filepath.Join(l.folder, filepath.FromSlash(prefix))
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name := strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(path, l.folder)), "/")
		if err := do(name, path); err != nil {
			return fmt.Errorf("object %s: %w", name, err)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
