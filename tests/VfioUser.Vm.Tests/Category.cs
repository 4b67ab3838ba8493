// A plain run has no virtual machine: see tests/default.runsettings.
[assembly: AssemblyTrait("Category", "External")]
