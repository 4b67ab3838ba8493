namespace VfioUser;

/// <summary>The kinds of a device's code that the library calls.</summary>
public enum DeviceCallback
{
    /// <summary>Code that has no value of its own here.</summary>
    Other,

    /// <summary><see cref="PciDevice.OnAttached"/>.</summary>
    Attached,

    /// <summary><see cref="PciDevice.OnDetached"/>.</summary>
    Detached,

    /// <summary><see cref="PciDevice.OnReset"/>.</summary>
    Reset,

    /// <summary><see cref="PciDevice.OnDmaMapped"/>.</summary>
    DmaMapped,

    /// <summary><see cref="PciDevice.OnDmaUnmapping"/>.</summary>
    DmaUnmapping,

    /// <summary><see cref="PciDevice.OnQuiesceAsync"/>, or what its cancellation calls.</summary>
    Quiesce,

    /// <summary><see cref="PciDevice.OnResume"/>.</summary>
    Resume,

    /// <summary><see cref="PciDevice.OnStopped"/>.</summary>
    Stopped,

    /// <summary><see cref="PciDevice.OnStarted"/>.</summary>
    Started,

    /// <summary>What a guest's read of a region calls: a register, or the region's handler.</summary>
    RegionRead,

    /// <summary>What a guest's write to a region calls: a register, a doorbell, or the region's handler.</summary>
    RegionWrite,

    /// <summary>The handler of an ioeventfd, by its descriptor.</summary>
    IoEventFd,

    /// <summary>The handler of a page of doorbells.</summary>
    DoorbellPage,

    /// <summary>The handler of an interrupt's mask.</summary>
    IrqMask,

    /// <summary>A call of <see cref="IMigrationState"/>.</summary>
    MigrationState,

    /// <summary>An action that the device had posted.</summary>
    Post,

    /// <summary>What a <see cref="DeviceTimer"/> calls.</summary>
    Timer,

    /// <summary>A worker, or what its cancellation calls.</summary>
    Worker,
}
