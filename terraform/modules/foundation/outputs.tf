output "build_bucket" {
  description = "Bucket of sources and logs of builds."
  value       = google_storage_bucket.build.name
}

output "builder" {
  description = "Full name of the service account that builds, once it may."
  value       = google_service_account.builder.name
  depends_on  = [terraform_data.builder_settled]
}

output "kms_key" {
  description = "The key, once Google's agents may use it, or null."
  value       = var.kms_key
  depends_on  = [terraform_data.settled]
}

output "project" {
  description = "The project's id, once its APIs are enabled."
  value       = var.project
  depends_on  = [terraform_data.settled]
}

output "pubsub_agent" {
  description = "Member of IAM that is Pub/Sub's own agent, once it exists."
  value       = local.agents["gcp-sa-pubsub"]
  depends_on  = [terraform_data.settled]
}

output "repository" {
  description = "The registry: its id, its full name, and the address that image names begin with."
  value = {
    address = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
    id      = google_artifact_registry_repository.images.repository_id
    name    = "projects/${var.project}/locations/${var.region}/repositories/${google_artifact_registry_repository.images.repository_id}"
  }
}
