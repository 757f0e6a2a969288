package warehouse

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// objects reads what load jobs name from Cloud Storage.
type objects struct {
	address string // http://host:port, or "" for none
	client  http.Client
}

// read returns the content of all objects that the URIs name, in order of their names.
func (o *objects) read(ctx context.Context, uris []string) ([][]byte, *apiError) {
	if o.address == "" {
		return nil, &apiError{http.StatusBadRequest, "invalid", "this local warehouse has no Cloud Storage to load from: upload the file"}
	}
	var contents [][]byte
	for _, uri := range uris {
		names, bucket, fault := o.find(ctx, uri)
		if fault != nil {
			return nil, fault
		}
		for _, name := range names {
			content, fault := o.get(ctx, "/storage/v1/b/"+bucket+"/o/"+url.PathEscape(name)+"?alt=media")
			if fault != nil {
				return nil, fault
			}
			if bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
				if content, fault = unzip(uri, content); fault != nil {
					return nil, fault
				}
			}
			contents = append(contents, content)
		}
	}
	return contents, nil
}

// find lists the objects that a URI with at most one * names.
func (o *objects) find(ctx context.Context, uri string) (names []string, bucket string, fault *apiError) {
	path, ok := strings.CutPrefix(uri, "gs://")
	bucket, object, named := strings.Cut(path, "/")
	if !ok || !named || object == "" || strings.Count(object, "*") > 1 {
		return nil, "", &apiError{http.StatusBadRequest, "invalid", "Invalid source URI " + uri + ": write gs://BUCKET/OBJECT, with one * at most"}
	}
	prefix, _, _ := strings.Cut(object, "*")
	pattern := regexp.MustCompile("(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(object), `\*`, ".*") + "$")
	for token := ""; ; {
		content, fault := o.get(ctx, "/storage/v1/b/"+bucket+"/o?prefix="+url.QueryEscape(prefix)+"&pageToken="+url.QueryEscape(token))
		if fault != nil {
			return nil, "", fault
		}
		var list struct {
			Items         []struct{ Name string }
			NextPageToken string
		}
		if err := json.Unmarshal(content, &list); err != nil {
			return nil, "", &apiError{http.StatusServiceUnavailable, "backendError", "listing " + uri + ": " + err.Error()}
		}
		for _, item := range list.Items {
			if pattern.MatchString(item.Name) {
				names = append(names, item.Name)
			}
		}
		if token = list.NextPageToken; token == "" {
			break
		}
	}
	if len(names) == 0 {
		return nil, "", &apiError{http.StatusNotFound, "notFound", "Not found: URI " + uri}
	}
	return names, bucket, nil
}

func (o *objects) get(ctx context.Context, path string) ([]byte, *apiError) {
	unreachable := func(err error) ([]byte, *apiError) {
		return nil, &apiError{http.StatusServiceUnavailable, "backendError", "reading Cloud Storage: " + err.Error()}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.address+path, nil)
	if err != nil {
		return unreachable(err)
	}
	answer, err := o.client.Do(request)
	if err != nil {
		return unreachable(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return unreachable(err)
	case answer.StatusCode == http.StatusNotFound:
		return nil, &apiError{http.StatusNotFound, "notFound", fmt.Sprintf("Not found: %s in Cloud Storage", path)}
	case answer.StatusCode != http.StatusOK:
		return nil, &apiError{http.StatusBadRequest, "invalid", fmt.Sprintf("reading Cloud Storage: %d: %s", answer.StatusCode, content)}
	}
	return content, nil
}

func unzip(uri string, content []byte) ([]byte, *apiError) {
	unzipped, err := gzip.NewReader(bytes.NewReader(content))
	if err == nil {
		content, err = io.ReadAll(unzipped)
	}
	if err != nil {
		return nil, &apiError{http.StatusBadRequest, "invalid", "unzipping " + uri + ": " + err.Error()}
	}
	return content, nil
}

// joined makes one text of several files, of which each begins with some lines to skip.
func joined(contents [][]byte, skip int) []byte {
	var out bytes.Buffer
	for i, content := range contents {
		for n := 0; i > 0 && n < skip; n++ {
			_, content, _ = bytes.Cut(content, []byte("\n"))
		}
		out.Write(content)
		if len(content) > 0 && content[len(content)-1] != '\n' {
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}
