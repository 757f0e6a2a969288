output "job" {
  description = "Name of the job that calls transform."
  value       = google_cloud_scheduler_job.transform.name
}
