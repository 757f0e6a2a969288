// Package bigquery says where BigQuery is: the clients of real BigQuery, or
// of an emulator that the environment names, and how its statements name a text.
package bigquery

import (
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stationflow/stationflow/internal/env"
)

// Config names the project, its datasets, and where they are served.
type Config struct {
	Project        string
	StagingDataset string
	ProdDataset    string

	RESTEndpoint string // "" for Google's; otherwise http://host:port
	GRPCEndpoint string // "" for Google's; otherwise host:port of the Storage Write API
}

// FromEnv reads GOOGLE_CLOUD_PROJECT, STAGING_DATASET, PROD_DATASET,
// BIGQUERY_EMULATOR_HOST and BIGQUERY_STORAGE_EMULATOR_HOST.
func FromEnv(r *env.Reader) Config {
	return Config{
		Project:        r.Required("GOOGLE_CLOUD_PROJECT", "set it to the id of the Google Cloud project"),
		StagingDataset: r.String("STAGING_DATASET", "staging_data"),
		ProdDataset:    r.String("PROD_DATASET", "prod_data"),
		RESTEndpoint:   r.String("BIGQUERY_EMULATOR_HOST", ""),
		GRPCEndpoint:   r.String("BIGQUERY_STORAGE_EMULATOR_HOST", ""),
	}
}

// RESTOptions returns the options of a bigquery.Client.
func (c Config) RESTOptions() []option.ClientOption {
	if c.RESTEndpoint == "" {
		return nil
	}
	return []option.ClientOption{option.WithEndpoint(c.RESTEndpoint), option.WithoutAuthentication()}
}

// ServiceOptions returns the options of the plain REST client, package
// google.golang.org/api/bigquery/v2.
func (c Config) ServiceOptions() []option.ClientOption {
	if c.RESTEndpoint == "" {
		return nil
	}
	return []option.ClientOption{option.WithEndpoint(c.RESTEndpoint + "/bigquery/v2/"), option.WithoutAuthentication()}
}

// GRPCOptions returns the options of a managedwriter.Client.
func (c Config) GRPCOptions() []option.ClientOption {
	if c.GRPCEndpoint == "" {
		return nil
	}
	return []option.ClientOption{
		option.WithEndpoint(c.GRPCEndpoint),
		option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
}
