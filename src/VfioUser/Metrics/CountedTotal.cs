namespace VfioUser;

/// <summary>What a server has counted with one set of tags. Immutable.</summary>
/// <param name="Instrument">Name of the instrument.</param>
/// <param name="Value">The sum since the server was made.</param>
/// <param name="Tags">The tags, without that of the device.</param>
internal sealed record CountedTotal(string Instrument, double Value, params (string Key, string Value)[] Tags);
