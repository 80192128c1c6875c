"""Real netem and the kernel's Open vSwitch datapath, on any machine: in a user-mode Linux guest."""

import json

import pytest

from experiments.watchchecks import NOT_ALONE
from tests.integration.guest.boot import in_guest
from tests.jobs import Job, Jobs

SCENARIO = """
name: guest
seed: 1
network:
  campuses:
    north: {workers: 1, fabric: {kind: star}}
    south: {workers: 1, fabric: {kind: star}}
  spans:
    north-south: {route: 70 km, condition: aged-10g-ook, age: 15 years}
workload: {gradients: 150 MB, bucket: 50 MB, compute: 100 ms, steps: 16, reference_steps: 6}
emulate: {bytes: 1/1000, time: 4}  # 25 Mbit/s at most: one slow processor has time to spare
timeline:
  - {at: step 9, upgrade: north-south, with: coherent-100g}
"""
RUN = Job(
    "guest",
    in_guest('"$python" -I -m experiments run scenario.yaml --out run'),
    timeout_s=250,
    files={"scenario.yaml": SCENARIO},
)


@pytest.mark.slow
@pytest.mark.needs_root
@pytest.mark.needs_ovs
@pytest.mark.needs_guest
@pytest.mark.timeout(600)
def test_netem_and_the_kernel_datapath_carry_a_run(jobs: Jobs) -> None:
    result = json.loads((jobs.folder_of(RUN) / "run" / "result.json").read_text())
    assert result["backend"] == {"impairer": "netem", "datapath": "kernel", "runtime": "namespace"}
    failed = {check["name"] for check in result["fidelity"]["checks"] if not check["ok"]}
    assert failed <= NOT_ALONE, result["fidelity"]["reasons"]  # it shares its host with other tests
    aged, upgraded = result["phases"]
    assert aged["coherence"] < 0.6 < 0.85 < upgraded["coherence"]
