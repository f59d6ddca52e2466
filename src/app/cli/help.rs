//! What stands below a subcommand's arguments in its help: exit codes and examples.

/// Exit codes, then examples: what `--help` shows and `-h` cuts short.
pub fn both(codes: &str, examples: &str) -> String {
    format!("{codes}\n\n{examples}")
}

pub const DIAGNOSE_CODES: &str = "Exit codes:
  0  nothing at or above --fail-on, and everything was seen
  1  a finding at or above --fail-on
  2  could not run: wrong usage, no sign-in, no such cluster
  3  incomplete: nothing at or above --fail-on, but something could not be seen
     (--allow-incomplete makes that 0)";

pub const DIAGNOSE: &str = "Examples:
  aksiso diagnose
  aksiso diagnose -g prod-rg -n prod-aks
  aksiso diagnose --cluster-id /subscriptions/…/managedClusters/prod-aks --output json
  aksiso diagnose -g prod-rg -n prod-aks --check private-dns --check private-endpoint
  aksiso diagnose -g prod-rg -n prod-aks --output table --output sarif=aksiso.sarif --output junit=aksiso.xml
  aksiso diagnose -g prod-rg -n prod-aks --baseline known.json --fail-on warning
  aksiso diagnose -g prod-rg -n prod-aks --wait --wait-timeout 20m
  aksiso diagnose --from snapshot.json --fail-on warning
  aksiso diagnose --from snapshot.json --what-if 'delete cache-rule aks-managed-mcr'";

pub const PREFLIGHT: &str = "Examples:
  helm template shop ./chart -f prod.yaml | aksiso preflight - -g prod-rg -n prod-aks
  kustomize build overlays/prod | aksiso preflight - --from prod.json
  aksiso preflight manifests/ -g prod-rg -n prod-aks --output table --output sarif=images.sarif
  aksiso preflight manifests/ --from prod.json --write-rules rules.sh --write-kustomize images/kustomization.yaml
  aksiso preflight manifests/ --from prod.json --what-if 'set outbound none'";

pub const CUTOVER_CODES: &str = "Exit codes:
  0  the next step is safe, or none is left
  1  a gate is closed, or the cluster is broken (S5)
  2  could not run
  3  the state or the next step depends on missing data";

pub const CUTOVER: &str = "Examples:
  aksiso cutover -g prod-rg -n prod-aks
  aksiso cutover -g prod-rg -n prod-aks --to-registry /subscriptions/…/registries/contosoboot
  aksiso cutover --from prod.json --policy conservative
  aksiso cutover -g prod-rg -n prod-aks --to direct";

pub const FLEET_CODES: &str = "Exit codes:
  0  nothing at or above --fail-on, and everything was seen
  1  a finding at or above --fail-on; with --what-if: one that the changes bring
  2  could not run: wrong usage, no sign-in, Resource Graph does not answer
  3  incomplete: nothing at or above --fail-on, but a subscription, a cluster or a part of one could not be seen
     (--allow-incomplete makes that 0)";

pub const FLEET: &str = "Examples:
  aksiso fleet
  aksiso fleet --management-group platform --output table --output html=fleet.html --output json=fleet.json
  aksiso fleet -s 11111111-2222-3333-4444-555555555555 --depth graph --group-by registry
  aksiso fleet --previous yesterday.json --output jsonl=tickets.jsonl --output json=today.json
  aksiso fleet --what-if 'delete cache-rule aks-managed-mcr of contosoboot'
  aksiso fleet --save fleet.state --export-snapshots snapshots --anonymize";

pub const COLLECT_CODES: &str = "Exit codes:
  0  written
  2  could not run
  3  written, but something could not be read";

pub const COLLECT: &str = "Examples:
  aksiso collect -g prod-rg -n prod-aks -o prod.json
  aksiso collect -g prod-rg -n prod-aks --anonymize --anonymize-map names.json -o for-support.json
  aksiso collect --from prod.json --anonymize --anonymize-map names.json -o for-support.json
  aksiso diagnose --from for-support.json --anonymize-map names.json";

pub const DOCTOR_CODES: &str = "Exit codes:
  0  a diagnosis sees everything that the checks need
  1  a diagnosis runs, but a permission or the Kubernetes API is missing or not known
  2  no diagnosis is possible: no sign-in, no connection to Azure, no cluster";

pub const DOCTOR: &str = "Examples:
  aksiso doctor
  aksiso doctor -g prod-rg -n prod-aks
  aksiso doctor -g prod-rg -n prod-aks --output json | jq '.permissions[] | select(.granted == \"no\")'";

pub const PROBE_CODES: &str = "Exit codes:
  0  every probe has an answer, good or bad; diagnose evaluates it
  2  could not run
  3  something could not be tried";

pub const PROBE: &str = "Examples:
  aksiso probe --from prod.json -o node.json
  aksiso probe --from prod.json --host-root /host --as-kubelet -o node.json
  aksiso probe --login-server contosoboot.azurecr.io --region eastus --dns-server 10.0.0.4 --expect 10.1.2.5
  aksiso probe --script --from prod.json
  aksiso probe --how --from prod.json
  aksiso diagnose -g prod-rg -n prod-aks --probe node.json";

pub const PERMISSIONS: &str = "Examples:
  aksiso permissions
  aksiso permissions --output azure --scope /subscriptions/ID > role.json
  aksiso permissions --fleet --output azure --scope /providers/Microsoft.Management/managementGroups/platform
  aksiso permissions --output kubernetes --object-id ID | kubectl apply -f -
  aksiso permissions --output kubernetes --user anna@contoso.com | kubectl apply -f -
  aksiso permissions --check private-dns,private-endpoint --output azure";

pub const CHECKS: &str = "Examples:
  aksiso checks
  aksiso checks --output json | jq -r '.[].rules[].id'";

pub const COMPARE_CODES: &str = "Exit codes:
  0  nothing new at or above --fail-on
  1  something new at or above --fail-on
  2  could not run
  3  nothing new, but something could not be seen this time";

pub const COMPARE: &str = "Examples:
  aksiso compare yesterday.json today.json
  aksiso compare main.json branch.json --output markdown >> \"$GITHUB_STEP_SUMMARY\"";

pub const SCHEMA: &str = "Examples:
  aksiso schema report > report.schema.json
  aksiso schema config > aksiso.schema.json";

pub const COMPLETIONS: &str = "Examples:
  aksiso completions bash > /etc/bash_completion.d/aksiso
  aksiso completions zsh > \"${fpath[1]}/_aksiso\"
  aksiso completions fish > ~/.config/fish/completions/aksiso.fish
  aksiso completions powershell >> $PROFILE";

pub const MAN: &str = "Examples:
  aksiso man | man -l -
  aksiso man --output /usr/local/share/man/man1";

pub const EXPLAIN: &str = "Examples:
  aksiso explain dns-record-missing
  aksiso explain private-dns
  aksiso explain layers";
