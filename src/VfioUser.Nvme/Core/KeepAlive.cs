namespace VfioUser.Nvme;

/// <summary>The Keep Alive Timer: a driver that has set it and then falls silent has its controller stopped. NVMe 1.4 7.12, 5.21.1.15.</summary>
/// <remarks>Time that passes while migration has stopped the device does not count. Any thread, but for <see cref="Expired"/>.</remarks>
internal sealed class KeepAlive(ControllerParts parts)
{
    /// <summary>KAS: the granularity of the timer, in units of 100 ms.</summary>
    public const ushort Granularity = 10;

    private const uint GranularityMilliseconds = Granularity * 100;

    private DeviceTimer? _timer;
    private uint _milliseconds;

    /// <summary>KATO: in milliseconds, 0 while the driver wants none.</summary>
    public uint Milliseconds => Volatile.Read(ref _milliseconds);

    /// <summary>Set once, when there is a device.</summary>
    public void UseTimer(DeviceTimer timer) => _timer = timer;

    /// <summary>The driver sets it; a granularity that was begun counts as a whole one.</summary>
    public void Set(uint milliseconds)
    {
        Restore(milliseconds == 0 ? 0 : (uint)Math.Min(((ulong)milliseconds + GranularityMilliseconds - 1) / GranularityMilliseconds * GranularityMilliseconds, uint.MaxValue));
        Restart();
    }

    /// <summary>What was saved; the library has what is left of the timer.</summary>
    public void Restore(uint milliseconds) => Volatile.Write(ref _milliseconds, milliseconds);

    /// <summary>The driver lives.</summary>
    public void Restart()
    {
        if (Milliseconds is > 0 and uint milliseconds)
            _timer!.Start(TimeSpan.FromMilliseconds(milliseconds));
        else
            _timer!.Stop();
    }

    /// <summary>As after a reset of the controller.</summary>
    public void Reset()
    {
        Restore(0);
        _timer?.Stop();
    }

    /// <summary>The driver has been silent. Command thread.</summary>
    public void Expired()
    {
        if (Milliseconds is not (> 0 and uint milliseconds) || !parts.Registers.IsReady || parts.HasFailed)
            return; // a reset came first
        parts.Errors.Add(0, default, Status.KeepAliveTimeoutExpired);
        parts.Fail($"the driver has sent no Keep Alive for {milliseconds} ms");
    }
}
