"""From years and kilometres to packets: condition + age + seed -> LinkState."""
