"""The running network: the only code that touches root, the kernel or Mininet."""
