namespace VfioUser;

/// <summary>What changes a <see cref="DeviceState"/>.</summary>
internal enum DeviceTransition
{
    /// <summary>A client is there.</summary>
    Attach,

    /// <summary>The client has gone.</summary>
    Detach,

    /// <summary>The device was asked to quiesce and answers later.</summary>
    Ask,

    /// <summary>It is quiesced.</summary>
    Quiesce,

    /// <summary>It answered that it cannot be, or failed to answer.</summary>
    Refuse,

    /// <summary>What it was quiesced for is over.</summary>
    Resume,

    /// <summary>Migration begins to stop it.</summary>
    Stop,

    /// <summary>It was told that it is stopped.</summary>
    StopDone,

    /// <summary>It runs again, or was not stopped in the end.</summary>
    Start,
}
