output "clients" {
  description = "How each client reaches the cluster, once it may: variables, and the secret of its password."
  value = { for client in keys(local.clients) : client => {
    password = {
      secret  = google_secret_manager_secret.password[client].secret_id
      version = google_secret_manager_secret_version.password[client].version
    }
    environment = {
      # The provider says SASL_SSL://HOST:PORT.
      KAFKA_BOOTSTRAP_SERVERS = replace(confluent_kafka_cluster.this.bootstrap_endpoint, "/^[A-Z_]+:\\/\\//", "")
      KAFKA_SASL_MECHANISM    = "PLAIN"
      KAFKA_SASL_USERNAME     = confluent_api_key.client[client].id
      KAFKA_SECURITY_PROTOCOL = "SASL_SSL"
    }
  } }
  depends_on = [confluent_kafka_acl.rule, confluent_kafka_topic.topic]
}

output "cluster" {
  description = "Id of the cluster."
  value       = confluent_kafka_cluster.this.id
}

output "environment" {
  description = "Id of the environment, once it has the cluster, and with it the schema registry."
  value       = confluent_environment.this.id
  depends_on  = [confluent_kafka_cluster.this]
}
