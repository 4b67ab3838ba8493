namespace VfioUser.Nvme;

/// <summary>A host that is registered with a namespace.</summary>
internal readonly record struct Registrant(HostIdentifier Host, ulong Key);
