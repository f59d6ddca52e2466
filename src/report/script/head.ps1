# Read it before you run it. For each step it shows what it fixes, what it does and to what, and how that is undone.
# Then it asks; what you do not say yes to is not run. It stops at the first command that fails.
$ErrorActionPreference = 'Stop'

if ([Console]::IsInputRedirected) {
  [Console]::Error.WriteLine('This plan asks before each step: run it in a terminal.')
  exit 2
}

# What a step is.
function Step($title) { Write-Host ''; Write-Host $title }
function Say($label, $text) { Write-Host ('  {0,-9} {1}' -f $label, $text) }

function Quit {
  Write-Host 'Stopped: nothing after this was run.'
  exit 1
}

# Yes runs the step, skip leaves it out, quit ends the plan.
function Ask {
  while ($true) {
    $answer = Read-Host '[y]es, [s]kip, [q]uit'
    if ($answer -in 'y', 'yes') { return $true }
    if ($answer -in 's', 'skip') { Write-Host 'Skipped.'; return $false }
    if ($answer -in 'q', 'quit') { Quit }
  }
}

# The name of what is deleted is typed.
function Confirm($name) {
  if ((Read-Host "This deletes $name. Type its name to go on") -ceq $name) { return $true }
  Write-Host 'That is not its name: skipped.'
  return $false
}

function Succeeds($command) {
  & $command | Out-Host
  return $LASTEXITCODE -eq 0
}

# What must pass before a step that rests on it, whatever a policy accepts.
function First($command) {
  Write-Host 'First, the checks that must pass:'
  if (Succeeds $command) { return $true }
  Write-Host 'They do not pass: skipped.'
  return $false
}

function Run($command) {
  if (-not (Succeeds $command)) {
    Write-Host "It failed with exit code $LASTEXITCODE."
    Quit
  }
}

# Whether the step worked; what was changed may take minutes to propagate.
function Verify($command) {
  while (-not (Succeeds $command)) {
    $answer = Read-Host 'Not verified. [r]etry, [g]o on, [q]uit'
    if ($answer -in 'g', 'go') { return }
    if ($answer -in 'q', 'quit') { Quit }
  }
  Write-Host 'Verified.'
}

