# What destroy may take, module by module: nothing that holds data, unless the
# project is a demo.

mock_provider "google" {}

variables {
  bucket          = "lake"
  canary          = null
  cold_after_days = null
  demo            = false
  kms_key         = null
  project         = "my-stations-4711"
  references      = { incidents = "reference/incidents.parquet" }
  region          = "europe-west1"
  retention_days  = null

  deployment      = { staging_partitions = "HOUR" }
  prod_dataset    = "prod_data"
  query_limit_tib = 1
  views           = "../sql/views"
  schemas         = "schemas"
  staging_dataset = "staging_data"
  topics          = ["incidents"]
  viewers         = []

}

run "lake_is_kept" {
  command = plan
  module {
    source = "./modules/lake"
  }
  assert {
    condition     = !google_storage_bucket.lake.force_destroy && google_storage_bucket.lake.deletion_policy == "ABANDON"
    error_message = "destroy would take the lake."
  }
  assert {
    condition     = length(google_storage_bucket.lake.encryption) == 0
    error_message = "The lake has a key although none was named."
  }
}

run "demo_lake_goes" {
  command = plan
  variables {
    demo = true
  }
  module {
    source = "./modules/lake"
  }
  assert {
    condition     = google_storage_bucket.lake.force_destroy && google_storage_bucket.lake.deletion_policy == "DELETE"
    error_message = "destroy would leave a demo's lake."
  }
}

run "lake_has_the_key" {
  command = plan
  variables {
    kms_key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }
  module {
    source = "./modules/lake"
  }
  assert {
    condition     = google_storage_bucket.lake.encryption[0].default_kms_key_name == var.kms_key
    error_message = "The lake is not encrypted with the key."
  }
}

run "lake_forgets_when_told" {
  command = plan
  variables {
    retention_days = 400
  }
  module {
    source = "./modules/lake"
  }
  assert {
    condition = anytrue([for r in google_storage_bucket.lake.lifecycle_rule :
      anytrue([for a in r.action : a.type == "Delete"]) && anytrue([for c in r.condition : c.age == 400])
    ])
    error_message = "No rule deletes files after 400 days."
  }
}

run "lake_stays_where_it_is" {
  command = plan
  module {
    source = "./modules/lake"
  }
  assert {
    condition = alltrue([for r in google_storage_bucket.lake.lifecycle_rule :
      alltrue([for a in r.action : a.type != "SetStorageClass"])
    ])
    error_message = "Files are moved to another class, which bills each of them, although nobody asked for it."
  }
}

run "lake_moves_when_told" {
  command = plan
  variables {
    cold_after_days = 60
  }
  module {
    source = "./modules/lake"
  }
  assert {
    condition = anytrue([for r in google_storage_bucket.lake.lifecycle_rule :
      anytrue([for a in r.action : a.storage_class == "NEARLINE"]) && anytrue([for c in r.condition : c.age == 60])
    ])
    error_message = "No rule moves files after 60 days."
  }
}

run "tables_are_kept" {
  command = plan
  variables {
    completeness   = "../functions/audit/table.json"
    retention_days = 90
    references     = { incidents = "gs://lake/reference/incidents.parquet" }
  }
  module {
    source = "./modules/warehouse"
  }
  assert {
    condition     = alltrue([for t in google_bigquery_table.staging : t.deletion_protection && t.deletion_policy == "ABANDON"])
    error_message = "destroy would take a table."
  }
  assert {
    condition     = alltrue([for d in google_bigquery_dataset.dataset : !d.delete_contents_on_destroy && d.deletion_policy == "ABANDON"])
    error_message = "destroy would take a dataset."
  }
  assert {
    condition     = google_bigquery_table.staging["incidents"].time_partitioning[0].expiration_ms == 90 * 86400000
    error_message = "Rows are not kept for the days asked for."
  }

  assert {
    condition     = google_cloud_quotas_quota_preference.query.quota_config[0].preferred_value == "1048576"
    error_message = "The limit of 1 TiB a day is not 1048576 MiB."
  }
}
