from tests.controller.test_openflow import *
from tests.controller.conftest import *
def test_x(network, monkeypatch):
    wiring, switches, spans = network.wiring, network.switches, network.graph.spans
    cables = {
        end: (far, wiring.far_port[end]) for end, far in wiring.far.items() if far in wiring.dpids and end[0] in wiring.dpids
    }
    plug_together(switches, cables)
    for i in range(12):
        time.sleep(.25)
        print(network.client.health(), {n:s.log[-2:] for n,s in switches.items()} if i==11 else '')
    print(network.client.spans())
    print(network.controller.end()[1][-3000:])
    assert 0
