namespace VfioUser.Nvme;

/// <summary>Figures of a queue pair.</summary>
/// <param name="Id">Its ID; 0 is the admin queue.</param>
/// <param name="Entries">Size of its submission queue.</param>
/// <param name="Waiting">Commands that the driver has submitted and the controller has not fetched.</param>
/// <param name="InFlight">Commands that were fetched and are not completed.</param>
/// <param name="Commands">Commands fetched since it was created.</param>
public readonly record struct NvmeQueueFigures(int Id, int Entries, int Waiting, int InFlight, long Commands);
