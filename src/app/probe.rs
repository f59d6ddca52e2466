//! `probe`: a look from this machine, the script for a node, and how to run either.

use std::path::Path;

use super::cli::ProbeArgs;
use super::exit::Exit;
use super::{files, output, width};
use crate::evidence::cloud::PUBLIC;
use crate::evidence::{Evidence, anonymize};
use crate::model::node_view::{self, Role};
use crate::report::probe::{self as shown, ProbeFormat, Targets};
use crate::sources::probe::{self, HTTPS, HostPort, Plan};
use crate::text::{self, problem::Problem};

/// Where tests have their metadata service.
const METADATA: &str = "AKSISO_METADATA_ENDPOINT";

pub(super) async fn probe(args: &ProbeArgs) -> anyhow::Result<Exit> {
    let evidence = args.from.as_deref().map(files::read_snapshot).transpose()?;
    if evidence.as_ref().is_some_and(anonymize::is_anonymized) {
        let hint = "use the snapshot itself, or name the hosts: --login-server HOST --region REGION";
        return Err(Problem::new("the snapshot is under pseudonyms: its hosts do not exist", hint).into());
    }
    if args.how {
        output::print(&shown::how(evidence.as_ref()))?;
        return Ok(Exit::Clean);
    }
    let plan = plan(args, evidence.as_ref())?;
    if args.script {
        output::print(&shown::script(&targets(&plan)))?;
        return Ok(Exit::Clean);
    }
    let probe = probe::run(&plan).await;
    let to_stdout = args.file.as_deref() == Some(Path::new("-"));
    if let Some(file) = args.file.as_ref().filter(|_| !to_stdout) {
        let hint = "name a file in a folder that can be written to, or - for standard output";
        let written = output::write_whole(file, shown::json(&probe)?.as_bytes());
        written.map_err(|error| Problem::new(format!("{error:#}"), hint))?;
    }
    output::print(&match args.output {
        ProbeFormat::Table if !to_stdout => shown::table(&probe, &args.expect, width()),
        _ => shown::json(&probe)?,
    })?;
    let untried = probe.results.iter().any(|result| result.outcome.not_tried().is_some());
    Ok(if untried { Exit::Incomplete } else { Exit::Clean })
}

/// What to probe: the hosts of the snapshot, or those of the command line.
fn plan(args: &ProbeArgs, evidence: Option<&Evidence>) -> anyhow::Result<Plan> {
    if let Some(root) = args.host_root.as_ref().filter(|root| !root.is_dir()) {
        let what = format!("--host-root {} is not a folder", text::clean(&root.display().to_string()));
        let hint = "name the folder at which the node's file system is mounted, such as /host";
        return Err(Problem::new(what, hint).into());
    }
    let mut plan = Plan {
        login_server: args.login_server.clone(),
        data: Vec::new(),
        api_server: None,
        egress: Vec::new(),
        mcr: PUBLIC.mcr_hosts[0].to_owned(),
        dns_servers: args.dns_server.clone(),
        host_root: args.host_root.clone(),
        vantage: args.vantage.map(Into::into),
        as_kubelet: args.as_kubelet,
        client_id: args.client_id.clone(),
        metadata: metadata()?,
        timeout: args.timeout,
    };
    if let Some(evidence) = evidence {
        of_snapshot(&mut plan, evidence);
    }
    if let Some(server) = &args.login_server {
        let cloud = crate::evidence::cloud::Cloud::of("", Some(&server.host));
        cloud.mcr_hosts[0].clone_into(&mut plan.mcr);
        let (label, suffix) = server.host.split_once('.').unwrap_or((&server.host, ""));
        let data = args.region.iter().map(|region| format!("{label}.{region}.data.{suffix}"));
        plan.data =
            data.map(|host| HostPort { host: host.trim_end_matches('.').to_owned(), port: server.port }).collect();
    }
    plan.api_server = args.api_server.clone().or(plan.api_server);
    if plan.login_server.is_none() && plan.api_server.is_none() {
        let hint = "name it: --from SNAPSHOT, or --login-server HOST [--region REGION] [--api-server HOST]";
        let what = if evidence.is_some() {
            "the snapshot knows neither the registry's login server nor the API server"
        } else {
            "there is nothing to probe"
        };
        return Err(Problem::new(what, hint).into());
    }
    plan.egress = vec![HostPort { host: plan.mcr.clone(), port: HTTPS }];
    plan.egress.extend(args.egress.iter().filter(|own| own.host != plan.mcr).cloned());
    Ok(plan)
}

/// The hosts that the cluster's nodes need.
fn of_snapshot(plan: &mut Plan, evidence: &Evidence) {
    // A snapshot is untrusted input: what is no host name goes into no request and no script.
    let hosts = node_view::wanted(evidence).into_iter().filter(|wanted| super::cli::is_host(&wanted.host));
    for wanted in hosts {
        let host = HostPort { host: wanted.host, port: HTTPS };
        match wanted.role {
            Role::Registry => plan.login_server = Some(host),
            Role::Data => plan.data.push(host),
            Role::ApiServer => plan.api_server = Some(host),
        }
    }
    evidence.mcr_hosts()[0].clone_into(&mut plan.mcr);
    let identity = evidence.cluster.properties.identity_profile.as_ref();
    let client = identity.and_then(|own| own.kubeletidentity.as_ref()?.client_id.clone());
    plan.client_id = plan.client_id.take().or(client);
}

fn targets(plan: &Plan) -> Targets {
    let host = |own: &HostPort| own.host.clone();
    let with_port =
        |own: &HostPort| if own.port == HTTPS { own.host.clone() } else { format!("{}:{}", own.host, own.port) };
    Targets {
        login_server: plan.login_server.as_ref().map(host),
        data: plan.data.iter().map(host).collect(),
        port: plan.login_server.as_ref().map_or(HTTPS, |own| own.port),
        api_server: plan.api_server.as_ref().map(host),
        api_port: plan.api_server.as_ref().map_or(HTTPS, |own| own.port),
        egress: plan.egress.iter().map(with_port).collect(),
        mcr: plan.mcr.clone(),
    }
}

fn metadata() -> anyhow::Result<std::net::SocketAddr> {
    let set = std::env::var(METADATA).ok();
    probe::metadata_endpoint(set.as_deref()).map_err(|why| {
        Problem::new(format!("{METADATA} cannot be used: {why}"), "expected http://127.0.0.1:PORT").into()
    })
}
