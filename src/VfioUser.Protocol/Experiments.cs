namespace VfioUser.Protocol;

/// <summary>What may change in any release: users of it have to say that they know.</summary>
internal static class Experiments
{
    /// <summary>Transport and negotiation: how messages are sent and received. The messages themselves are as the specification has
    /// them, and stay.</summary>
    public const string Transport = "VFIOUSER001";
}
