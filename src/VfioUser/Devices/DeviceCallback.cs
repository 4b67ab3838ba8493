namespace VfioUser;

/// <summary>The code of a device that the library calls.</summary>
public enum DeviceCallback
{
    /// <summary>Code without a value of its own.</summary>
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

    /// <summary><see cref="PciDevice.OnQuiesceAsync"/>, or a callback of its cancellation token.</summary>
    Quiesce,

    /// <summary><see cref="PciDevice.OnResume"/>.</summary>
    Resume,

    /// <summary><see cref="PciDevice.OnStopped"/>.</summary>
    Stopped,

    /// <summary><see cref="PciDevice.OnRestored"/>.</summary>
    Restored,

    /// <summary><see cref="PciDevice.OnStarted"/>.</summary>
    Started,

    /// <summary>A handler for a guest's read of a region: of a register, or of the region.</summary>
    RegionRead,

    /// <summary>A handler for a guest's write to a region: of a register, of a doorbell, or of the region.</summary>
    RegionWrite,

    /// <summary>The handler of an ioeventfd, signalled through its descriptor.</summary>
    IoEventFd,

    /// <summary>The handler of a page of doorbells.</summary>
    DoorbellPage,

    /// <summary>A handler of <see cref="Irq.AddMaskChangeHandler"/> or <see cref="Intx.SetResampleHandler"/>.</summary>
    IrqMask,

    /// <summary>A method of <see cref="IMigrationState"/> or <see cref="IRawMigration"/>.</summary>
    MigrationState,

    /// <summary>An action that the device had posted.</summary>
    Post,

    /// <summary>What a <see cref="DeviceTimer"/> calls.</summary>
    Timer,

    /// <summary>A worker, or what its cancellation calls.</summary>
    Worker,
}
