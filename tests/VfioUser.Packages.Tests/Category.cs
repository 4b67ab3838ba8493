// Packs everything and builds what uses it: see tests/default.runsettings.
[assembly: AssemblyTrait("Category", "Long")]
