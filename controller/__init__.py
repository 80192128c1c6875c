"""How traffic is routed: policies decide on the graph, the application tells the switches."""
