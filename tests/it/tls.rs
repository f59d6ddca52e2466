//! One TLS provider: with two in the tree, the first Kubernetes client panics.

use azure_core::http::new_http_client;

#[tokio::test]
async fn kubernetes_and_azure_clients_live_in_one_process() {
    let azure = new_http_client(None);
    let config = kube::Config::new("https://127.0.0.1:1".parse().expect("a URI"));
    let kubernetes = kube::Client::try_from(config);
    assert!(kubernetes.is_ok());
    let request =
        azure_core::http::Request::new("https://127.0.0.1:1".parse().expect("a URL"), azure_core::http::Method::Get);
    assert!(azure.execute_request(&request).await.is_err(), "nobody listens there, and nothing panics");
}
