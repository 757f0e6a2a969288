output "clients" {
  description = "How each client reaches the registry, once it may: variables, and the secret of its password."
  value = { for client in keys(local.clients) : client => {
    password = {
      secret  = google_secret_manager_secret.password[client].secret_id
      version = google_secret_manager_secret_version.password[client].version
    }
    environment = {
      SCHEMA_REGISTRY_URL      = data.confluent_schema_registry_cluster.this.rest_endpoint
      SCHEMA_REGISTRY_USERNAME = confluent_api_key.client[client].id
    }
  } }
  depends_on = [confluent_schema.topic]
}
