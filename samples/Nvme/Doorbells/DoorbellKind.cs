namespace Nvme.Doorbells;

/// <summary>How doorbells get from the guest to the controller.</summary>
public enum DoorbellKind
{
    /// <summary>A message for each, or none where the driver has shadow doorbells and the controller is at work.</summary>
    Trapped,

    /// <summary>On a page that the client maps: never a message, but somebody has to look.</summary>
    Mapped,
}
