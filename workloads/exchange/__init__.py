"""How gradients and parameters cross between ranks: the arithmetic behind the strategies."""
