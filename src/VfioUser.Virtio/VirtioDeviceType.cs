namespace VfioUser.Virtio;

/// <summary>What kind of device a driver finds. Any other number of the specification may be cast to it.</summary>
/// <remarks>VIRTIO 1.3 5 "Device Types".</remarks>
public enum VirtioDeviceType
{
    /// <summary>A network card.</summary>
    Network = 1,

    /// <summary>A block device.</summary>
    Block = 2,

    /// <summary>A console, with one port or more.</summary>
    Console = 3,

    /// <summary>A source of entropy.</summary>
    Entropy = 4,

    /// <summary>A memory balloon.</summary>
    Balloon = 5,

    /// <summary>A SCSI host.</summary>
    Scsi = 8,

    /// <summary>A 9P transport.</summary>
    Transport9P = 9,

    /// <summary>A graphics adapter.</summary>
    Gpu = 16,

    /// <summary>A keyboard, mouse or tablet.</summary>
    Input = 18,

    /// <summary>A socket device.</summary>
    Socket = 19,

    /// <summary>A cryptographic accelerator.</summary>
    Crypto = 20,

    /// <summary>A sound card.</summary>
    Sound = 25,

    /// <summary>A file system.</summary>
    FileSystem = 26,

    /// <summary>A GPIO controller.</summary>
    Gpio = 41,
}
