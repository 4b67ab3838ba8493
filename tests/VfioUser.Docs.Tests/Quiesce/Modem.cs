namespace VfioUser.Docs.Tests.Quiesce;

/// <summary>A card whose radio can fail.</summary>
internal sealed class Modem : PciDevice
{
    private readonly Func<CancellationToken, Task> _failure;

    public Modem(Func<CancellationToken, Task> failure)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00FC), PciClass.NetworkOther)
    {
        _failure = failure;
        Status = AddBar(0, BarKind.Memory32, size: 0x1000).AddRegister<uint>(0x00);
        AddWorker("watch", WatchAsync);
    }

    public Register<uint> Status { get; }

    protected override void OnDetached() => _ = RequestResetAsync(); // the next client finds the device as new

    private async Task WatchAsync(DeviceWork work, CancellationToken stop)
    {
        while (true)
        {
            await _failure(stop);
            await RequestResetAsync().WaitAsync(stop); // not inside of the work, which the reset waits for
        }
    }
}
