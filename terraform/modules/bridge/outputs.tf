output "image" {
  description = "Image that runs, by digest."
  value       = local.image
}

output "pool" {
  description = "Name of the worker pool."
  value       = google_cloud_run_v2_worker_pool.bridge.name
}

output "simulator" {
  description = "Name of the job of simulated stations, or null."
  value       = one(google_cloud_run_v2_job.simulator[*].name)
}
