output "alert" {
  description = "The function's service: name, and URI without a path; null without it."
  value = var.alert == null ? null : {
    service = google_cloudfunctions2_function.function["alert"].name
    uri     = google_cloudfunctions2_function.function["alert"].service_config[0].uri
  }
}

output "audit" {
  description = "The function's service, and its identity: name, URI without a path, member."
  value = {
    member  = google_service_account.function["audit"].member
    service = google_cloudfunctions2_function.function["audit"].name
    uri     = google_cloudfunctions2_function.function["audit"].service_config[0].uri
  }
}

output "compact" {
  description = "The function's service: name, and URI without a path; null without it."
  value = var.compact == null ? null : {
    service = google_cloudfunctions2_function.function["compact"].name
    uri     = google_cloudfunctions2_function.function["compact"].service_config[0].uri
  }
}

output "ingest" {
  description = "The function's service: name, and URI without a path."
  value = {
    service = google_cloudfunctions2_function.function["ingest"].name
    uri     = google_cloudfunctions2_function.function["ingest"].service_config[0].uri
  }
}

output "page" {
  description = "The function's service; null without it."
  value       = var.page == null ? null : google_cloudfunctions2_function.function["page"].name
}

output "replay" {
  description = "The function's identity, and its URI without a path; null without it."
  value = var.replay == null ? null : {
    member = google_service_account.function["replay"].member
    uri    = google_cloudfunctions2_function.function["replay"].service_config[0].uri
  }
}

output "scale" {
  description = "The function's service, and its identity: name, URI without a path, member."
  value = {
    member  = google_service_account.function["scale"].member
    service = google_cloudfunctions2_function.function["scale"].name
    uri     = google_cloudfunctions2_function.function["scale"].service_config[0].uri
  }
}

output "service_accounts" {
  description = "E-mail addresses of the functions' identities."
  value       = { for name, a in google_service_account.function : name => a.email }
}

output "transform" {
  description = "The function's service: name, and URI without a path."
  value = {
    service = google_cloudfunctions2_function.function["transform"].name
    uri     = google_cloudfunctions2_function.function["transform"].service_config[0].uri
  }
}
