using System.CommandLine;

namespace Virtio.Cli;

/// <summary>A kind of device that the program serves and shows.</summary>
internal abstract class DeviceKind
{
    /// <summary>As on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>What <c>serve NAME</c> does, in a line of the help.</summary>
    public abstract string Description { get; }

    /// <summary>What <c>serve NAME</c> takes beside the socket.</summary>
    public virtual IReadOnlyList<Option> Options => [];

    /// <summary>How many devices it serves at most, on a socket each.</summary>
    public virtual int MaxSockets => 1;

    /// <summary>Creates the devices.</summary>
    /// <param name="parsed">Has the values of <see cref="Options"/>.</param>
    /// <param name="sockets">How many to create.</param>
    /// <exception cref="IOException">What is behind them cannot be opened. The message is for the user.</exception>
    /// <exception cref="ArgumentException">As it was asked for, it cannot be. The message is for the user.</exception>
    public abstract Task<ServedDevices> OpenAsync(ParseResult parsed, int sockets);

    /// <summary>Serves such a device, and drives it as a guest would.</summary>
    /// <param name="output">Where it says what happens.</param>
    /// <exception cref="InvalidOperationException">The device does not do as it should.</exception>
    public abstract void Demo(TextWriter output);
}
