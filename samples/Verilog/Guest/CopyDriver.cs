using VfioUser;
using VfioUser.Testing;

namespace Verilog.Guest;

/// <summary>A driver of the copy engine.</summary>
public sealed class CopyDriver
{
    public const long Id = 0x00;
    public const long Control = 0x04;
    public const long Status = 0x08;
    public const long Length = 0x0C;
    public const long Source = 0x10;
    public const long Destination = 0x18;
    public const long Checksum = 0x20;
    public const long Cycles = 0x24;

    public const uint Start = 1;
    public const uint Copy = 2;
    public const uint Interrupt = 4;

    public const uint Busy = 1;
    public const uint Done = 2;
    public const uint Error = 4;

    private readonly TestGuest _guest;

    public CopyDriver(TestGuest guest)
    {
        _guest = guest;
        guest.StartDriver();
    }

    /// <summary>Has a buffer copied and summed, and waits for the interrupt.</summary>
    /// <returns>The status.</returns>
    public uint Run(Iova source, Iova? destination, int length)
    {
        Begin(source, destination, length);
        return Finish();
    }

    public void Begin(Iova source, Iova? destination, int length)
    {
        _guest.Bar0.Write(Source, source.Value);
        _guest.Bar0.Write(Destination, destination?.Value ?? 0);
        _guest.Bar0.Write(Length, (uint)length);
        _guest.Bar0.Write(Control, Start | Interrupt | (destination is null ? 0 : Copy));
    }

    /// <summary>Waits for the interrupt and acknowledges it.</summary>
    /// <returns>The status.</returns>
    public uint Finish()
    {
        _guest.MsiX[0].WaitForNext();
        uint status = _guest.Bar0.Read<uint>(Status);
        _guest.Bar0.Write(Status, Done | Error);
        return status;
    }
}
