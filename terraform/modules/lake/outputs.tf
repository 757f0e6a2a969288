output "bucket" {
  description = "Name of the bucket."
  value       = google_storage_bucket.lake.name
}

output "references" {
  description = "Address of the Parquet file without rows, by topic."
  value       = { for topic, o in google_storage_bucket_object.reference : topic => "gs://${o.bucket}/${o.name}" }
}
