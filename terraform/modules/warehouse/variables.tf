variable "bucket" {
  description = "Name of the lake's bucket."
  type        = string
}

variable "canary" {
  description = "Name and schema files of the tables of canaries, or null for none."
  type        = object({ prod = string, schema = string, table = string })
}

variable "completeness" {
  description = "File with the schema of the table of what audit finds."
  type        = string
}

variable "demo" {
  description = "Whether destroy takes the data too."
  type        = bool
}

variable "deployment" {
  description = "By what staging tables are partitioned, from deployment.json."
  type = object({
    staging_partitions = string
  })
}

variable "kms_key" {
  description = "Full name of the key that encrypts the datasets, or null."
  type        = string
}

variable "prod_dataset" {
  description = "Id of the dataset of marts."
  type        = string
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "query_limit_tib" {
  description = "Most that BigQuery bills in the project a day, in TiB."
  type        = number
}

variable "references" {
  description = "Address of the Parquet file without rows, by topic."
  type        = map(string)
}

variable "region" {
  description = "Location of the datasets, the same as the bucket's."
  type        = string
}

variable "retention_days" {
  description = "How many days staging tables keep the rows of an hour."
  type        = number
}

variable "schemas" {
  description = "Folder of the tables' schemas, one NAME.json each."
  type        = string
}

variable "staging_dataset" {
  description = "Id of the dataset of raw records."
  type        = string
}

variable "topics" {
  description = "Names of the topics."
  type        = list(string)
}

variable "viewers" {
  description = "Members who may read the marts."
  type        = set(string)
}

variable "views" {
  description = "Path of the folder with the SQL of the views with one row per record: records.sql, and quarantine.sql."
  type        = string
}
