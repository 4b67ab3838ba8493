namespace VfioUser.Nvme;

/// <summary>How the controller learns of doorbell writes.</summary>
public enum NvmeDoorbellKind
{
    /// <summary>A message for each write; fewer with shadow doorbells, while the controller polls.</summary>
    Trapped,

    /// <summary>On a page that the client maps: no messages, but the controller has to poll.</summary>
    Mapped,
}
