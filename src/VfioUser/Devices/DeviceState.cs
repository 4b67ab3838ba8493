namespace VfioUser;

/// <summary>What a device does, as far as the library has a say in it.</summary>
/// <remarks>In this order: from <see cref="Quiesced"/> on it is quiesced.</remarks>
internal enum DeviceState
{
    /// <summary>No client is there.</summary>
    Detached,

    /// <summary>It works for a client.</summary>
    Running,

    /// <summary>It was asked to quiesce and has not answered.</summary>
    Quiescing,

    /// <summary>It touches neither guest memory nor interrupts on threads of its own.</summary>
    Quiesced,

    /// <summary>Migration stops it: what the guest signalled before is handled still, and nothing that comes now.</summary>
    Stopping,

    /// <summary>Migration has stopped it.</summary>
    Stopped,
}
