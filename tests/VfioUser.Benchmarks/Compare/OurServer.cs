using Microsoft.Extensions.Logging.Abstractions;

namespace VfioUser.Benchmarks;

/// <summary>A device with all that is measured, behind the library's server.</summary>
internal sealed class OurServer : PciDevice
{
    public const int DoorbellOffset = 0x100;

    private OurServer()
        : base(new PciId(0x1B36, 0x00F0), PciClass.Unclassified)
    {
        RequiresBusMaster = false;
        Bar bar0 = AddBar(0, BarKind.Memory32, 0x2000);
        bar0.AddRegister<uint>(0x0);
        bar0.AddRegister<ulong>(0x8);
        Irq irq = bar0.AddMsiX(0x1000, 1)[0];
        bar0.AddDoorbell(DoorbellOffset, () => irq.Trigger());
        Bar bar2 = AddBar(2, BarKind.Memory64, 2 << 20);
        bar2.ShareMemory();
    }

    /// <param name="path">Of its socket.</param>
    /// <param name="spinMicroseconds">For each wait; null for a server that adapts.</param>
    public static void Run(string path, int? spinMicroseconds)
    {
        VfioUserServerOptions options = new() { Logger = NullLogger.Instance };
        if (spinMicroseconds is { } spin)
            options = options with { Spin = TimeSpan.FromMicroseconds(spin), IsSpinFixed = true };
        using VfioUserServer server = VfioUserServer.Bind(path, options);
        server.Run(new OurServer());
    }
}
