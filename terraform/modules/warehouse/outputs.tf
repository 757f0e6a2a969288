output "completeness_table" {
  description = "Id of the table of what audit finds, in the dataset of marts."
  value       = google_bigquery_table.completeness.table_id
}

output "prod_dataset" {
  description = "Id of the dataset of marts."
  value       = google_bigquery_dataset.dataset["prod"].dataset_id
}

output "staging_dataset" {
  description = "Id of the dataset of raw records, once its tables exist."
  value       = google_bigquery_dataset.dataset["staging"].dataset_id
  depends_on  = [google_bigquery_table.staging]
}

output "staging_tables" {
  description = "Id of the table of each topic's raw records."
  value       = { for topic in var.topics : topic => google_bigquery_table.staging[topic].table_id }
}
