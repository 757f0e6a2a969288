terraform {
  required_version = ">= 1.9.0, < 2.0.0" # validations that look at several variables

  required_providers {
    confluent = {
      source  = "confluentinc/confluent"
      version = "~> 2.30.0"
    }
    google = {
      source  = "hashicorp/google"
      version = "~> 7.45.0"
    }
  }
}

# Calls count on the quota of the project itself. Without this, calls with a
# person's credentials count on none, and Cloud Quotas refuses those.
# https://github.com/hashicorp/terraform-provider-google/issues/18337
provider "google" {
  project               = var.project
  region                = var.region
  billing_project       = var.project
  user_project_override = true
  default_labels        = merge({ app = "stationflow" }, var.labels)
}

# Used only where Terraform makes the cluster. Without the two variables the
# provider reads CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET.
provider "confluent" {
  cloud_api_key    = var.confluent_cloud_api_key
  cloud_api_secret = var.confluent_cloud_api_secret
}
