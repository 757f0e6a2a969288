output "alert_copies_topic" {
  description = "Name of the topic of copies for alert; null where there is none."
  value       = one(google_pubsub_topic.alert_copies[*].name)
}

output "dead_letter_subscription" {
  description = "Name of the subscription that keeps dead letters."
  value       = google_pubsub_subscription.dead_letter.name
}

output "dead_letter_topic" {
  description = "Name of the topic of dead letters."
  value       = google_pubsub_topic.topic[var.deployment.dead_letter_topic].name
}

output "ingest_subscription" {
  description = "Name of the subscription that pushes to ingest."
  value       = google_pubsub_subscription.ingest.name
}

output "records_topic" {
  description = "Name of the topic of batches."
  value       = google_pubsub_topic.topic[var.deployment.records_topic].name
}
