using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Thrown by code of a device to answer a client's command with an error of its choice.</summary>
/// <remarks>
/// <para>From what a command calls: handlers of regions, registers and configuration space, <see cref="PciDevice.OnQuiesceAsync"/>,
/// <see cref="PciDevice.OnReset"/>, <see cref="PciDevice.OnStopped"/> and <see cref="PciDevice.OnStarted"/>, and
/// <see cref="IMigrationState"/>. The command is refused, which is logged as any refusal; it counts as no failure of the device, and
/// <see cref="VfioUserServerOptions.OnDeviceException"/> is not called. Elsewhere it is an exception like others.</para>
/// <para>A guest sees no error of its accesses: a read gives all ones, as does one without a device, and QEMU prints a line.</para>
/// </remarks>
public sealed class DeviceErrnoException : Exception
{
    /// <summary>Answers EIO.</summary>
    public DeviceErrnoException()
        : this(Errno.EIO)
    {
    }

    /// <summary>Answers EIO.</summary>
    /// <param name="message">Why.</param>
    public DeviceErrnoException(string message)
        : base(message)
    {
    }

    /// <summary>Answers EIO.</summary>
    /// <param name="message">Why.</param>
    /// <param name="innerException">What was wrong.</param>
    public DeviceErrnoException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Answers with an error.</summary>
    /// <param name="errno">What the client gets; not <see cref="Errno.None"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is no error.</exception>
    public DeviceErrnoException(Errno errno)
        : base($"The device refuses the command with {errno}.")
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero((int)errno, nameof(errno));
        Errno = errno;
    }

    /// <summary>What the client gets.</summary>
    public Errno Errno { get; } = Errno.EIO;
}
