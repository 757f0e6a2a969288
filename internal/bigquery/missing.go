package bigquery

import (
	"errors"
	"net/http"

	"google.golang.org/api/googleapi"
)

// IsMissing reports whether an error says that a table or a dataset does not
// exist.
func IsMissing(err error) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && api.Code == http.StatusNotFound
}
