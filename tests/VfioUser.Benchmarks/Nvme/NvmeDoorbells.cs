namespace VfioUser.Benchmarks;

/// <summary>How the driver rings.</summary>
internal enum NvmeDoorbells
{
    /// <summary>In its own memory, by message when the controller asks for it: what Linux does.</summary>
    Shadow,

    /// <summary>On a page of the controller's that it maps.</summary>
    Mapped,

    /// <summary>By a message each.</summary>
    Trapped,
}
