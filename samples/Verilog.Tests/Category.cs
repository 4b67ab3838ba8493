// A plain run has no Verilator: see tests/default.runsettings.
[assembly: AssemblyTrait("Category", "External")]
