output "image" {
  description = "Image that runs, by digest."
  value       = local.image
}

output "service" {
  description = "Name of the service."
  value       = google_cloud_run_v2_service.bridge.name
}

output "simulator" {
  description = "Name of the job of simulated stations, or null."
  value       = one(google_cloud_run_v2_job.simulator[*].name)
}
